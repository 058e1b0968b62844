package sluice.module_allow_list

config := {"allowed_prefixes": {
	"terraform-aws-modules/",
	"registry.opentofu.org/terraform-aws-modules/",
	"registry.terraform.io/terraform-aws-modules/",
}}
