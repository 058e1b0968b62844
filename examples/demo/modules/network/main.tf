variable "name" { type = string }
variable "cidr" { type = string }
variable "subnets" { type = map(number) }
variable "tags" { type = map(string) }

resource "terraform_data" "network" {
  input = {
    name = var.name
    cidr = var.cidr
    tags = var.tags
  }

  triggers_replace = [var.cidr]
}

resource "terraform_data" "subnet" {
  for_each = var.subnets

  input = {
    name       = "${var.name}-${each.key}"
    zone       = each.key
    cidr       = cidrsubnet(var.cidr, 8, each.value)
    network_id = terraform_data.network.id
    tags       = var.tags
  }

  triggers_replace = [terraform_data.network.id, cidrsubnet(var.cidr, 8, each.value)]
}

resource "terraform_data" "gateway" {
  input = {
    name       = "${var.name}-gateway"
    network_id = terraform_data.network.id
  }
}

output "network_id" {
  value = terraform_data.network.id
}

output "subnet_ids" {
  value = { for zone, subnet in terraform_data.subnet : zone => subnet.id }
}
