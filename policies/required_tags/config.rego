package sluice.required_tags

config := {
	"required": {"environment", "owner"},
	"attributes": {"labels", "tags", "tags_all"},
}
