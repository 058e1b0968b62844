variable "product" {
  description = "Name of the product."
  type        = string
  default     = "webshop"
}

variable "environment" {
  description = "Which environment this workspace is."
  type        = string
  default     = "staging"
}

variable "owner" {
  description = "Team that is told when something is wrong."
  type        = string
  default     = "team-checkout"
}

variable "domain" {
  description = "Domain of the public names."
  type        = string
  default     = "staging.example.com"
}

variable "network_cidr" {
  description = "Address range of the network."
  type        = string
  default     = "10.20.0.0/16"
}

variable "subnets" {
  description = "Availability zone to subnet number."
  type        = map(number)
  default     = { a = 0, b = 1, c = 2 }
}

variable "database_size" {
  description = "Size class of the database."
  type        = string
  default     = "db.small"
}

variable "database_password" {
  description = "Password of the application's database user; set it as a sensitive variable of the workspace."
  type        = string
  sensitive   = true
  default     = "not-a-real-password"
}

variable "api_image" {
  description = "Container image of the API."
  type        = string
  default     = "registry.example.com/webshop/api:1.14.2"
}

variable "api_replicas" {
  description = "How many copies of the API run."
  type        = number
  default     = 3
}

variable "alerts" {
  description = "Alerts by name."
  type        = map(object({ metric = string, threshold = number }))
  default = {
    latency = { metric = "http_p99_ms", threshold = 400 }
    errors  = { metric = "http_5xx_per_minute", threshold = 5 }
  }
}
