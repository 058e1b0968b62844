# Names and tags by one convention, so that no stack invents its own. Makes nothing.

variable "product" {
  description = "Name of the product."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}$", var.product))
    error_message = "A product is 2 to 21 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "environment" {
  description = "dev, staging or prod."
  type        = string

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "An environment is dev, staging or prod."
  }
}

variable "owner" {
  description = "Team that answers for it."
  type        = string
}

variable "extra_tags" {
  description = "Tags beside the usual ones."
  type        = map(string)
  default     = {}
}

output "prefix" {
  description = "What every name begins with."
  value       = "${var.product}-${var.environment}"
}

output "tags" {
  description = "Tags of every resource."
  value = merge(var.extra_tags, {
    product     = var.product
    environment = var.environment
    owner       = var.owner
    managed-by  = "sluice"
  })
}
