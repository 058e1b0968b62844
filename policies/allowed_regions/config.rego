package sluice.allowed_regions

config := {
	"attributes": {"availability_zone", "location", "region", "zone"},
	"regions": {
		"eu-central-1",
		"eu-west-1",
		"europe-west1",
		"europe-west3",
		"northeurope",
		"westeurope",
	},
}
