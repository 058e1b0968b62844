package sluice.blast_radius_test

import data.sluice.blast_radius

changes(count_wanted, actions) := {"plan": {"resource_changes": [change |
	some number in numbers.range(1, count_wanted)
	change := {"address": sprintf("a.b[%d]", [number]), "change": {"actions": actions}}
]}}

test_deletes_up_to_the_limit_pass if {
	count(blast_radius.deny) == 0 with input as changes(5, ["delete"])
}

test_deletes_over_the_limit_fail if {
	count(blast_radius.deny) == 1 with input as changes(6, ["delete"])
}

test_replaces_in_both_orders_count if {
	count(blast_radius.deny) == 1 with input as changes(6, ["delete", "create"])
	count(blast_radius.deny) == 1 with input as changes(6, ["create", "delete"])
}

test_creates_are_free if {
	count(blast_radius.deny) == 0 with input as changes(100, ["create"])
}
