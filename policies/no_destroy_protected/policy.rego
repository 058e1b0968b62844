# METADATA
# title: No destroy of protected types
# description: Resources that hold data or keys are neither deleted nor replaced.
package sluice.no_destroy_protected

deny contains finding if {
	some change in input.plan.resource_changes
	change.mode == "managed"
	change.type in config.protected_types
	"delete" in change.change.actions
	finding := {
		"message": sprintf("%s is %s, and %s is a protected type", [change.address, verb(change.change.actions), change.type]),
		"address": change.address,
		"remedy": "keep it (a `moved` or `removed` block keeps the object), or ask for an override",
		"severity": "critical",
	}
}

verb(actions) := "replaced, which deletes it" if "create" in actions

verb(actions) := "deleted" if not "create" in actions
