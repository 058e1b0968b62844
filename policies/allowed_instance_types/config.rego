package sluice.allowed_instance_types

config := {
	"attributes": {
		"aws_db_instance": "instance_class",
		"aws_instance": "instance_type",
		"aws_launch_template": "instance_type",
		"azurerm_linux_virtual_machine": "size",
		"azurerm_windows_virtual_machine": "size",
		"google_compute_instance": "machine_type",
	},
	"allowed_prefixes": {
		"aws_db_instance": {"db.m7g.", "db.t4g."},
		"aws_instance": {"m7g.", "t3.", "t4g."},
		"aws_launch_template": {"m7g.", "t3.", "t4g."},
		"azurerm_linux_virtual_machine": {"Standard_B", "Standard_D2", "Standard_D4"},
		"azurerm_windows_virtual_machine": {"Standard_B", "Standard_D2", "Standard_D4"},
		"google_compute_instance": {"e2-", "n2-standard-2", "n2-standard-4"},
	},
}
