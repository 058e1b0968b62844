output "api_url" {
  description = "Where the API answers."
  value       = "https://${module.api.hostname}"
}

output "database_endpoint" {
  description = "Host and port of the database."
  value       = module.database.endpoint
}

output "subnet_ids" {
  description = "Subnets by availability zone."
  value       = module.network.subnet_ids
}

output "database_url" {
  description = "Connection string of the application."
  value       = module.database.url
  sensitive   = true
}
