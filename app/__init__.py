"""Sluice: a self-hosted control plane for OpenTofu and Terraform."""
