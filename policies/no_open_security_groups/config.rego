package sluice.no_open_security_groups

config := {
	"allowed_ports": {80, 443},
	"shortest_prefix_ipv4": 8,
	"shortest_prefix_ipv6": 16,
	"sources": {
		"aws_default_security_group": {"ingress"},
		"aws_security_group": {"ingress"},
		"aws_security_group_rule": {"cidr_blocks", "ipv6_cidr_blocks"},
		"aws_vpc_security_group_ingress_rule": {"cidr_ipv4", "cidr_ipv6"},
		"azurerm_network_security_rule": {"source_address_prefix", "source_address_prefixes"},
		"google_compute_firewall": {"source_ranges"},
	},
}
