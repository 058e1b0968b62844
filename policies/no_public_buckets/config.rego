package sluice.no_public_buckets

config := {
	"public_acls": {"authenticated-read", "public-read", "public-read-write", "website"},
	"public_members": {"allAuthenticatedUsers", "allUsers"},
	"settings": {
		"aws_s3_bucket": {"acl"},
		"aws_s3_bucket_acl": {"acl"},
		"aws_s3_bucket_policy": {"policy"},
		"aws_s3_bucket_public_access_block": {
			"block_public_acls",
			"block_public_policy",
			"ignore_public_acls",
			"restrict_public_buckets",
		},
		"azurerm_storage_account": {"allow_nested_items_to_be_public"},
		"azurerm_storage_container": {"container_access_type"},
		"google_storage_bucket_access_control": {"entity"},
		"google_storage_bucket_iam_binding": {"members"},
		"google_storage_bucket_iam_member": {"member"},
	},
}
