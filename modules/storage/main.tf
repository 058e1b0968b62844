# Buckets by the house's rules, as terraform_data: a provider-free module to try stacks with, and a pattern for one
# with a provider.

variable "product" {
  description = "Name of the product."
  type        = string
}

variable "environment" {
  description = "dev, staging or prod."
  type        = string
}

variable "owner" {
  description = "Team that answers for it."
  type        = string
}

variable "buckets" {
  description = "Buckets by short name; days after which old versions go, and whether it is versioned."
  type = map(object({
    keep_days = optional(number, 30)
    versioned = optional(bool, true)
  }))
}

variable "access_key" {
  description = "Key of the application that writes; from a sensitive variable of the workspace."
  type        = string
  sensitive   = true
  default     = null
}

module "naming" {
  source = "../naming"

  product     = var.product
  environment = var.environment
  owner       = var.owner
}

resource "terraform_data" "bucket" {
  for_each = var.buckets

  input = {
    name      = "${module.naming.prefix}-${each.key}"
    keep_days = each.value.keep_days
    versioned = each.value.versioned
    public    = false
    tags      = module.naming.tags
  }

  triggers_replace = ["${module.naming.prefix}-${each.key}"]
}

resource "terraform_data" "writer" {
  input = {
    name       = "${module.naming.prefix}-writer"
    access_key = var.access_key
    buckets    = [for bucket in terraform_data.bucket : bucket.id]
  }
}

output "bucket_names" {
  description = "Names by short name."
  value       = { for key, bucket in terraform_data.bucket : key => bucket.input.name }
}

output "writer_key" {
  description = "Key that the application uses."
  value       = var.access_key
  sensitive   = true
}
