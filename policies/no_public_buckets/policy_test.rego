package sluice.no_public_buckets_test

import data.sluice.no_public_buckets

plan(type, after) := {"plan": {"resource_changes": [{
	"address": sprintf("%s.this", [type]),
	"mode": "managed",
	"type": type,
	"change": {"actions": ["create"], "after": after, "after_unknown": {}},
}]}}

everyone := json.marshal({"Statement": {"Effect": "Allow", "Principal": {"AWS": ["*"]}, "Action": "s3:*"}})

test_public_settings_fail if {
	every case in [
		["aws_s3_bucket", {"acl": "public-read"}],
		["aws_s3_bucket_acl", {"acl": "public-read-write"}],
		[
			"aws_s3_bucket_acl",
			{"access_control_policy": [{"grant": [{"grantee": [{"uri": "http://acs.amazonaws.com/groups/global/AllUsers"}]}]}]},
		],
		["aws_s3_bucket_public_access_block", {"block_public_acls": false}],
		["aws_s3_bucket_policy", {"policy": everyone}],
		["google_storage_bucket_iam_member", {"member": "allUsers"}],
		["google_storage_bucket_iam_binding", {"members": ["group:x", "allAuthenticatedUsers"]}],
		["google_storage_bucket_access_control", {"entity": "allUsers"}],
		["azurerm_storage_account", {"allow_nested_items_to_be_public": true}],
		["azurerm_storage_container", {"container_access_type": "blob"}],
		["aws_s3_bucket_acl", {"acl": "(sensitive value)"}],
	] {
		count(no_public_buckets.deny) == 1 with input as plan(case[0], case[1])
	}
}

test_private_settings_pass if {
	every case in [
		["aws_s3_bucket", {"bucket": "x"}],
		["aws_s3_bucket_acl", {"acl": "private"}],
		["aws_s3_bucket_public_access_block", {"block_public_acls": true}],
		["aws_s3_bucket_policy", {"policy": json.marshal({"Statement": [{"Effect": "Deny", "Principal": "*"}]})}],
		["google_storage_bucket_iam_member", {"member": "user:a@example.org"}],
	] {
		count(no_public_buckets.deny) == 0 with input as plan(case[0], case[1])
	}
}
