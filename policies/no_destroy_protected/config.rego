package sluice.no_destroy_protected

config := {"protected_types": {
	"aws_cloudtrail",
	"aws_db_instance",
	"aws_docdb_cluster",
	"aws_dynamodb_table",
	"aws_ebs_volume",
	"aws_efs_file_system",
	"aws_kms_key",
	"aws_rds_cluster",
	"aws_s3_bucket",
	"aws_secretsmanager_secret",
	"azurerm_cosmosdb_account",
	"azurerm_key_vault",
	"azurerm_mssql_database",
	"azurerm_postgresql_flexible_server",
	"azurerm_storage_account",
	"google_bigquery_dataset",
	"google_kms_crypto_key",
	"google_spanner_instance",
	"google_sql_database_instance",
	"google_storage_bucket",
}}
