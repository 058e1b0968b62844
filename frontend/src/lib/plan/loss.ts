import { isDestructive, planAction } from "@/lib/actions";
import { splitAddress } from "@/lib/address";
import type { PlanResource } from "@/lib/api/types";
import { listed, plural } from "@/lib/format";

/** The worst sentence of a plan, and the next ones. */
export interface Loss {
  worst: string;
  rest: string;
}

/** What is gone for good when a resource of this type goes; worst first. */
const HOLDS: { match: RegExp; one: string; many: string; lost?: string }[] = [
  { match: /^(aws_db_instance|aws_rds_cluster|google_sql_database_instance|azurerm_(postgresql|mysql|mssql)\w*_(server|database)|digitalocean_database_cluster)$/, one: "a database", many: "databases" },
  { match: /^(aws_rds_cluster_instance)$/, one: "a database instance", many: "database instances" },
  { match: /^(aws_dynamodb_table|google_bigquery_table|google_bigtable_table|azurerm_cosmosdb\w*)$/, one: "a table with its rows", many: "tables with their rows" },
  { match: /^(aws_s3_bucket|google_storage_bucket|azurerm_storage_(account|container))$/, one: "a bucket with what is in it", many: "buckets with what is in them" },
  { match: /^(aws_ebs_volume|aws_efs_file_system|google_compute_disk|azurerm_managed_disk|digitalocean_volume)$/, one: "a volume with its data", many: "volumes with their data" },
  { match: /^(aws_kms_key|google_kms_crypto_key|azurerm_key_vault_key)$/, one: "an encryption key, and what only it opens", many: "encryption keys, and what only they open" },
  { match: /^(aws_eks_cluster|google_container_cluster|azurerm_kubernetes_cluster)$/, one: "a cluster", many: "clusters" },
  { match: /^(aws_instance|google_compute_instance|azurerm_(linux|windows)_virtual_machine|digitalocean_droplet)$/, one: "1 running instance", many: "running instances" },
];

function keepsNoSnapshot(resource: PlanResource): boolean {
  const skip = resource.attributes.find((each) => each.path === "skip_final_snapshot");
  return skip !== undefined && (skip.before ?? skip.after) === true;
}

interface Group {
  verb: "Replaces" | "Destroys";
  rank: number;
  nodes: PlanResource[];
  hold: (typeof HOLDS)[number] | null;
}

/** Without its module, but with its index: one of several instances is not all of them. */
function shortAddress(resource: PlanResource): string {
  const { type, name } = splitAddress(resource.address);
  return `${type}.${name}`;
}

function sentence(group: Group): string {
  const n = group.nodes.length;
  if (group.hold) {
    const what = n === 1 ? group.hold.one : `${n} ${group.hold.many}`;
    const replica = n === 1 && group.hold.one === "a database" && group.nodes[0]?.name.includes("replica") ? "a database replica" : what;
    const bare = group.nodes.every(keepsNoSnapshot) ? ` and keeps no final snapshot of ${n === 1 ? "it" : "them"}` : "";
    return `${group.verb} ${replica}${bare}.`;
  }
  if (n <= 2) return `${group.verb} ${listed(group.nodes.map(shortAddress))}.`;
  return `${group.verb} ${plural(n, "resource")}.`;
}

/** Says in words what a plan loses, before any table is shown. Null when it takes nothing away. */
export function sentenceOfLoss(resources: readonly PlanResource[]): Loss | null {
  const groups = new Map<string, Group>();
  for (const resource of resources) {
    const action = planAction(resource.action, resource.replace_order);
    if (!isDestructive(action) || resource.mode === "data") continue;
    const verb = action === "destroy" ? "Destroys" : "Replaces";
    const at = HOLDS.findIndex((each) => each.match.test(resource.type));
    const key = `${verb} ${at}`;
    const rank = (at < 0 ? HOLDS.length : at) + (verb === "Replaces" ? 0.5 : 0);
    const group = groups.get(key) ?? { verb, rank, nodes: [], hold: HOLDS[at] ?? null };
    group.nodes.push(resource);
    groups.set(key, group);
  }
  const sorted = [...groups.values()].sort((a, b) => a.rank - b.rank);
  const [first, ...others] = sorted;
  if (!first) return null;
  return { worst: sentence(first), rest: others.slice(0, 2).map(sentence).join(" ") };
}
