variable "name" { type = string }
variable "size" { type = string }
variable "subnet_ids" { type = list(string) }
variable "tags" { type = map(string) }

variable "password" {
  type      = string
  sensitive = true
}

locals {
  host = "${var.name}.db.internal"
}

resource "terraform_data" "subnet_group" {
  input = {
    name       = var.name
    subnet_ids = var.subnet_ids
  }
}

resource "terraform_data" "instance" {
  input = {
    name               = var.name
    engine             = "postgres"
    engine_version     = "18.1"
    size               = var.size
    storage_gb         = 50
    multi_zone         = true
    deletion_protected = true
    subnet_group_id    = terraform_data.subnet_group.id
    tags               = var.tags
  }
}

resource "terraform_data" "user" {
  input = {
    name     = "app"
    password = var.password
    instance = terraform_data.instance.id
  }
}

output "endpoint" {
  value = "${local.host}:5432"
}

output "url" {
  value     = "postgresql://app:${var.password}@${local.host}:5432/orders"
  sensitive = true
}
