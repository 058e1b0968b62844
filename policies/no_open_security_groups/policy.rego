# METADATA
# title: No open security groups
# description: Nothing but the allowed ports is reachable from the whole internet.
package sluice.no_open_security_groups

written := [change |
	some change in input.plan.resource_changes
	change.mode == "managed"
	is_written(change.change.actions)
]

is_written(actions) if "create" in actions

is_written(actions) if "update" in actions

open(change, source, ports) := {
	"message": sprintf("%s lets %s reach %s", [change.address, source, ports]),
	"address": change.address,
	"remedy": "name the networks that need it, or put a load balancer in front",
	"severity": "critical",
}

# AWS: rules within a group, and rules of their own in the older and the newer form.
deny contains open(change, cidr, ports_text(rule)) if {
	some change in written
	some rule in aws_rules(change)
	some cidr in aws_sources(rule)
	is_wide(cidr)
	not is_allowed_range(rule)
}

aws_rules(change) := change.change.after.ingress if {
	change.type in {"aws_default_security_group", "aws_security_group"}
	is_array(change.change.after.ingress)
}

aws_rules(change) := [change.change.after] if {
	change.type == "aws_security_group_rule"
	change.change.after.type == "ingress"
}

aws_rules(change) := [change.change.after] if change.type == "aws_vpc_security_group_ingress_rule"

aws_sources(rule) := {cidr |
	some attribute in {"cidr_blocks", "ipv6_cidr_blocks"}
	cidr := rule[attribute][_]
} | {rule[attribute] | some attribute in {"cidr_ipv4", "cidr_ipv6"}; is_string(rule[attribute])}

protocol(rule) := lower(sprintf("%v", [object.get(rule, "ip_protocol", object.get(rule, "protocol", "-1"))]))

is_allowed_range(rule) if {
	protocol(rule) in {"6", "tcp"}
	rule.from_port == rule.to_port
	rule.from_port in config.allowed_ports
}

ports_text(rule) := "every port" if protocol(rule) in {"-1", "all"}

ports_text(rule) := sprintf("the ports %v to %v (%s)", [from, to, protocol(rule)]) if {
	not protocol(rule) in {"-1", "all"}
	from := object.get(rule, "from_port", "(unknown)")
	to := object.get(rule, "to_port", "(unknown)")
}

# Google
deny contains open(change, cidr, "ports of a firewall rule") if {
	some change in written
	change.type == "google_compute_firewall"
	object.get(change.change.after, "direction", "INGRESS") != "EGRESS"
	cidr := change.change.after.source_ranges[_]
	is_wide(cidr)
	allow := change.change.after.allow[_]
	not is_allowed_google(allow)
}

is_allowed_google(allow) if {
	lower(allow.protocol) == "tcp"
	is_array(allow.ports)
	count(allow.ports) > 0
	every port in allow.ports {
		port in {sprintf("%d", [number]) | some number in config.allowed_ports}
	}
}

# Azure
deny contains open(change, source, sprintf("the ports %s", [concat(", ", sort(azure_ports(change.change.after)))])) if {
	some change in written
	change.type == "azurerm_network_security_rule"
	lower(change.change.after.direction) == "inbound"
	lower(change.change.after.access) == "allow"
	some source in azure_sources(change.change.after)
	is_anyone(source)
	not is_allowed_azure(change.change.after)
}

azure_sources(rule) := {source | source := rule.source_address_prefixes[_]} | {rule.source_address_prefix | is_string(rule.source_address_prefix)}

azure_ports(rule) := {port | port := rule.destination_port_ranges[_]} | {rule.destination_port_range | is_string(rule.destination_port_range)}

is_anyone(source) if lower(source) in {"*", "any", "internet"}

is_anyone(source) if is_wide(source)

is_allowed_azure(rule) if {
	lower(rule.protocol) == "tcp"
	every port in azure_ports(rule) {
		port in {sprintf("%d", [number]) | some number in config.allowed_ports}
	}
}

# Two halves of the internet are as open as the whole.
is_wide(cidr) if {
	regex.match(`^[0-9.]+/[0-9]+$`, cidr)
	to_number(split(cidr, "/")[1]) < config.shortest_prefix_ipv4
}

is_wide(cidr) if {
	regex.match(`^[0-9a-fA-F:]+/[0-9]+$`, cidr)
	to_number(split(cidr, "/")[1]) < config.shortest_prefix_ipv6
}

is_wide(cidr) if cidr == "(sensitive value)"

is_hidden(value) if value == "(sensitive value)"

is_hidden(value) if value[_] == "(sensitive value)"

deny contains finding if {
	some change in written
	some attribute in config.sources[change.type]
	is_hidden(change.change.after[attribute])
	finding := {
		"message": sprintf("%s hides its %s as sensitive: is it open?", [change.address, attribute]),
		"address": change.address,
		"remedy": "do not mark this setting sensitive",
		"severity": "high",
	}
}

warn contains finding if {
	some change in written
	some attribute in config.sources[change.type]
	walk(change.change.after_unknown[attribute], [_, true])
	finding := {
		"message": sprintf("the %s of %s is not known before the apply", [attribute, change.address]),
		"address": change.address,
	}
}
