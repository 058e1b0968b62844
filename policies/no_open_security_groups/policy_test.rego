package sluice.no_open_security_groups_test

import data.sluice.no_open_security_groups

plan(type, after) := {"plan": {"resource_changes": [{
	"address": sprintf("%s.this", [type]),
	"mode": "managed",
	"type": type,
	"change": {"actions": ["create"], "after": after, "after_unknown": {}},
}]}}

rule(cidr, from, to) := {"protocol": "tcp", "from_port": from, "to_port": to, "cidr_blocks": [cidr], "ipv6_cidr_blocks": []}

test_open_rules_fail if {
	every case in [
		["aws_security_group", {"ingress": [rule("0.0.0.0/0", 22, 22)]}],
		["aws_security_group", {"ingress": [rule("0.0.0.0/1", 22, 22)]}],
		["aws_security_group", {"ingress": [rule("0.0.0.0/0", 80, 443)]}],
		["aws_security_group", {"ingress": [{"protocol": "-1", "from_port": 0, "to_port": 0, "cidr_blocks": ["0.0.0.0/0"]}]}],
		["aws_security_group_rule", object.union(rule("10.0.0.0/8", 22, 22), {"type": "ingress", "ipv6_cidr_blocks": ["::/0"]})],
		["aws_vpc_security_group_ingress_rule", {"ip_protocol": "-1", "cidr_ipv4": "0.0.0.0/0"}],
		["google_compute_firewall", {"source_ranges": ["0.0.0.0/0"], "allow": [{"protocol": "tcp", "ports": ["22"]}]}],
		[
			"azurerm_network_security_rule",
			{
				"direction": "Inbound",
				"access": "Allow",
				"protocol": "Tcp",
				"source_address_prefix": "*",
				"destination_port_range": "22",
			},
		],
		["aws_security_group", {"ingress": "(sensitive value)"}],
	] {
		count(no_open_security_groups.deny) == 1 with input as plan(case[0], case[1])
	}
}

test_closed_rules_pass if {
	every case in [
		["aws_security_group", {"ingress": [rule("0.0.0.0/0", 443, 443)]}],
		["aws_security_group", {"ingress": [rule("10.0.0.0/8", 22, 22)]}],
		["aws_security_group", {"ingress": []}],
		["aws_security_group_rule", object.union(rule("0.0.0.0/0", 0, 65535), {"type": "egress"})],
		["google_compute_firewall", {"source_ranges": ["0.0.0.0/0"], "allow": [{"protocol": "tcp", "ports": ["443"]}]}],
	] {
		count(no_open_security_groups.deny) == 0 with input as plan(case[0], case[1])
	}
}

test_open_rule_with_unknown_ports_fails if {
	opened := {"protocol": "tcp", "cidr_blocks": ["0.0.0.0/0"]}
	count(no_open_security_groups.deny) == 1 with input as plan("aws_security_group", {"ingress": [opened]})
}

test_hidden_rule_fails if {
	count(no_open_security_groups.deny) == 1 with input as plan("aws_security_group", {"ingress": ["(sensitive value)"]})
}

test_unknown_sources_warn if {
	change := {
		"address": "aws_security_group.this",
		"mode": "managed",
		"type": "aws_security_group",
		"change": {
			"actions": ["create"],
			"after": {"ingress": [{"protocol": "tcp", "from_port": 22, "to_port": 22}]},
			"after_unknown": {"ingress": [{"cidr_blocks": [true]}]},
		},
	}
	count(no_open_security_groups.warn) == 1 with input as {"plan": {"resource_changes": [change]}}
}
