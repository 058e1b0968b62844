package sluice.provider_allow_list

config := {
	"registries": {"registry.opentofu.org", "registry.terraform.io", "terraform.io"},
	"allowed": {"builtin/*", "hashicorp/*", "opentofu/*"},
}
