variable "name" { type = string }
variable "image" { type = string }
variable "replicas" { type = number }
variable "port" { type = number }
variable "hostname" { type = string }
variable "network_id" { type = string }
variable "database_endpoint" { type = string }
variable "tags" { type = map(string) }

resource "terraform_data" "deployment" {
  input = {
    name     = var.name
    image    = var.image
    replicas = var.replicas
    port     = var.port
    env = {
      DATABASE_HOST = var.database_endpoint
      LOG_LEVEL     = "info"
    }
    tags = var.tags
  }
}

resource "terraform_data" "load_balancer" {
  input = {
    name       = var.name
    listener   = 443
    target     = var.port
    network_id = var.network_id
    health = {
      path     = "/healthz"
      interval = 10
    }
  }
}

resource "terraform_data" "dns_record" {
  input = {
    name   = var.hostname
    type   = "CNAME"
    ttl    = 300
    target = terraform_data.load_balancer.id
  }
}

output "hostname" {
  value = var.hostname
}
