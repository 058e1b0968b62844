# METADATA
# title: Blast radius
# description: A plan may delete and replace only so many resources at once.
package sluice.blast_radius

deleted := [change.address |
	some change in input.plan.resource_changes
	change.change.actions == ["delete"]
]

replaced := [change.address |
	some change in input.plan.resource_changes
	"delete" in change.change.actions
	"create" in change.change.actions
]

deny contains finding if {
	count(deleted) > config.max_deletes
	finding := {
		"message": sprintf(
			"the plan deletes %d resources; at most %d are allowed at once",
			[count(deleted), config.max_deletes],
		),
		"remedy": "delete them in several smaller changes, or ask for an override",
		"severity": "high",
	}
}

deny contains finding if {
	count(replaced) > config.max_replaces
	finding := {
		"message": sprintf(
			"the plan replaces %d resources; at most %d are allowed at once",
			[count(replaced), config.max_replaces],
		),
		"remedy": "find out what forces the replacement, or replace them in several smaller changes",
		"severity": "high",
	}
}
