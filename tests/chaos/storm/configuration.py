"""The configuration that runs apply: resources in two rows, each of which tells the journal and then takes its time."""

import random

from tests.support.archives import archive

_HEAD = """
locals {
  nonce = "%(nonce)s"
}
output "nonce" {
  value = local.nonce
}
"""
_ROW = """
resource "terraform_data" "%(name)s" {
  for_each         = %(seconds)s
  input            = each.key
  triggers_replace = [local.nonce]%(after)s
  provisioner "local-exec" {
    interpreter = ["bash", "-c"]
    environment = { MADE = "${local.nonce} terraform_data.%(name)s[\\"${each.key}\\"] ${self.id}" }
    command     = <<-EOT
      exec 3<>/dev/tcp/127.0.0.1/%(port)d || exit 1
      printf '%%s\\n' "$MADE" >&3
      read -r -t 10 said <&3
      [ "$said" = kept ] || exit 1
      sleep ${each.value}
    EOT
  }
}
"""
LONGEST_SECONDS = 2.0


def packed(nonce: str, port: int, rng: random.Random) -> bytes:
    """Return a packed configuration of 3 to 8 resources, all of which are made anew when the nonce is another."""
    early = _row("early", rng.randint(2, 5), rng)
    late = _row("late", rng.randint(1, 3), rng)
    after = "\n  depends_on       = [terraform_data.early]"
    text = _HEAD % {"nonce": nonce}
    text += _ROW % {"name": "early", "seconds": early, "after": "", "port": port}
    text += _ROW % {"name": "late", "seconds": late, "after": after, "port": port}
    return archive({"main.tf": text})


def _row(name: str, count: int, rng: random.Random) -> str:
    found = ", ".join(f"{name[0]}{index} = {rng.uniform(0, LONGEST_SECONDS):.2f}" for index in range(count))
    return f"{{ {found} }}"
