"""TerraformStackSpec, canonical hash, versions, diff."""
