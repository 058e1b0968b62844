# METADATA
# title: No public buckets
# description: Object storage is open to nobody outside the organization.
package sluice.no_public_buckets

written := [change |
	some change in input.plan.resource_changes
	change.mode == "managed"
	is_written(change.change.actions)
]

is_written(actions) if "create" in actions

is_written(actions) if "update" in actions

public(change, reason) := {
	"message": sprintf("%s %s", [change.address, reason]),
	"address": change.address,
	"remedy": "keep the bucket private, and hand out access by identity",
	"severity": "critical",
}

deny contains public(change, sprintf("has the acl %s", [change.change.after.acl])) if {
	some change in written
	change.type in {"aws_s3_bucket", "aws_s3_bucket_acl"}
	change.change.after.acl in config.public_acls
}

deny contains public(change, sprintf("grants access to %s", [grantee.uri])) if {
	some change in written
	change.type == "aws_s3_bucket_acl"
	grantee := change.change.after.access_control_policy[_].grant[_].grantee[_]
	is_string(grantee.uri)
	regex.match(`/(AllUsers|AuthenticatedUsers)$`, grantee.uri)
}

deny contains public(change, sprintf("sets %s to false", [flag])) if {
	some change in written
	change.type == "aws_s3_bucket_public_access_block"
	some flag in config.settings.aws_s3_bucket_public_access_block
	change.change.after[flag] == false
}

deny contains public(change, "allows everyone by its policy") if {
	some change in written
	change.type == "aws_s3_bucket_policy"
	is_string(change.change.after.policy)
	json.is_valid(change.change.after.policy)
	some statement in as_list(json.unmarshal(change.change.after.policy).Statement)
	statement.Effect == "Allow"
	is_everyone(statement.Principal)
	not statement.Condition
}

deny contains public(change, sprintf("grants access to %s", [change.change.after.member])) if {
	some change in written
	change.type == "google_storage_bucket_iam_member"
	change.change.after.member in config.public_members
}

deny contains public(change, sprintf("grants access to %s", [member])) if {
	some change in written
	change.type == "google_storage_bucket_iam_binding"
	member := change.change.after.members[_]
	member in config.public_members
}

deny contains public(change, sprintf("grants access to %s", [change.change.after.entity])) if {
	some change in written
	change.type == "google_storage_bucket_access_control"
	change.change.after.entity in config.public_members
}

deny contains public(change, "allows public access to what it holds") if {
	some change in written
	change.type == "azurerm_storage_account"
	change.change.after.allow_nested_items_to_be_public == true
}

deny contains public(change, sprintf("has the access type %s", [change.change.after.container_access_type])) if {
	some change in written
	change.type == "azurerm_storage_container"
	change.change.after.container_access_type in {"blob", "container"}
}

# What a policy can't read it can't pass: whoever hides the setting hides the answer.
deny contains finding if {
	some change in written
	some attribute in config.settings[change.type]
	change.change.after[attribute] == "(sensitive value)"
	finding := {
		"message": sprintf("%s hides its %s as sensitive: is it public?", [change.address, attribute]),
		"address": change.address,
		"remedy": "do not mark this setting sensitive",
		"severity": "high",
	}
}

warn contains finding if {
	some change in written
	some attribute in config.settings[change.type]
	change.change.after_unknown[attribute] == true
	finding := {
		"message": sprintf("the %s of %s is not known before the apply", [attribute, change.address]),
		"address": change.address,
	}
}

warn contains finding if {
	some change in input.plan.resource_changes
	change.type == "aws_s3_bucket_public_access_block"
	change.change.actions == ["delete"]
	finding := {
		"message": sprintf("%s is deleted, and with it what keeps the bucket private", [change.address]),
		"address": change.address,
	}
}

as_list(value) := value if is_array(value)

as_list(value) := [value] if is_object(value)

is_everyone(principal) if principal == "*"

is_everyone(principal) if {
	is_object(principal)
	principal.AWS == "*"
}

is_everyone(principal) if {
	is_object(principal)
	is_array(principal.AWS)
	"*" in principal.AWS
}
