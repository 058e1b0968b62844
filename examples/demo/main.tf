# A small service as a stack would describe it, made of terraform_data alone: it needs no provider, no account and no
# network, and shows what a plan, an approval, an apply and a state version look like.

terraform {
  required_version = ">= 1.4"
}

locals {
  name = "${var.product}-${var.environment}"
  tags = {
    product     = var.product
    environment = var.environment
    owner       = var.owner
  }
}

module "network" {
  source = "./modules/network"

  name    = local.name
  cidr    = var.network_cidr
  subnets = var.subnets
  tags    = local.tags
}

module "database" {
  source = "./modules/database"

  name       = "${local.name}-orders"
  size       = var.database_size
  password   = var.database_password
  subnet_ids = values(module.network.subnet_ids)
  tags       = local.tags
}

module "api" {
  source = "./modules/service"

  name              = "${local.name}-api"
  image             = var.api_image
  replicas          = var.api_replicas
  port              = 8080
  hostname          = "api.${var.domain}"
  network_id        = module.network.network_id
  database_endpoint = module.database.endpoint
  tags              = local.tags
}

resource "terraform_data" "alert" {
  for_each = var.alerts

  input = {
    name      = "${local.name}-${each.key}"
    metric    = each.value.metric
    threshold = each.value.threshold
    notifies  = var.owner
  }
}
