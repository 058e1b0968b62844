# METADATA
# title: Provider allow-list
# description: Only providers of known registries and namespaces run.
package sluice.provider_allow_list

used contains change.provider_name if some change in input.plan.resource_changes

used contains provider.full_name if some provider in input.plan.configuration.provider_config

deny contains finding if {
	some name in used
	not is_allowed(name)
	finding := {
		"message": sprintf("the provider %s is not on the allow-list", [name]),
		"address": name,
		"remedy": "use a provider that is, or have it added to the policy set's config.rego",
		"severity": "high",
	}
}

# A full name is registry/namespace/type.
is_allowed(name) if {
	[registry, namespace, type] := split(name, "/")
	registry in config.registries
	some entry in {sprintf("%s/%s", [namespace, type]), sprintf("%s/*", [namespace])}
	entry in config.allowed
}
