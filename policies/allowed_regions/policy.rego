# METADATA
# title: Allowed regions
# description: Resources are made in the allowed regions only.
package sluice.allowed_regions

deny contains finding if {
	some change in input.plan.resource_changes
	change.mode == "managed"
	"delete" != change.change.actions[0]
	some attribute in config.attributes
	place := change.change.after[attribute]
	is_string(place)
	not is_allowed(place)
	finding := {
		"message": sprintf("%s has the %s %s", [change.address, attribute, place]),
		"address": change.address,
		"remedy": sprintf("use one of %s", [concat(", ", sort(config.regions))]),
		"severity": "high",
	}
}

deny contains finding if {
	some name, provider in input.plan.configuration.provider_config
	some attribute in config.attributes
	some place in places(provider.expressions[attribute])
	not is_allowed(place)
	finding := {
		"message": sprintf("the provider %s works in %s", [name, place]),
		"address": sprintf("provider.%s", [name]),
		"remedy": sprintf("use one of %s", [concat(", ", sort(config.regions))]),
		"severity": "high",
	}
}

warn contains finding if {
	some name, provider in input.plan.configuration.provider_config
	some attribute in config.attributes
	expression := provider.expressions[attribute]
	count(places(expression)) == 0
	finding := {
		"message": sprintf("the %s of the provider %s is computed, so it can't be checked", [attribute, name]),
		"address": sprintf("provider.%s", [name]),
	}
}

places(expression) := {expression.constant_value} if is_string(expression.constant_value)

places(expression) := {value |
	some reference in expression.references
	startswith(reference, "var.")
	value := input.plan.variables[trim_prefix(reference, "var.")].value
	is_string(value)
} if {
	not expression.constant_value
}

# A zone is its region and a letter: eu-central-1a, europe-west1-b.
is_allowed(place) if lower(place) in config.regions

is_allowed(place) if {
	some region in config.regions
	regex.match(sprintf("^%s-?[a-z]$", [region]), lower(place))
}
