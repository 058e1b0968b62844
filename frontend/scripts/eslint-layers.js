/**
 * One way for imports: shared (components, lib) → features → routes → app, and no feature knows another.
 * What two features share belongs in components/ or lib/; what joins them belongs in routes/.
 */
const ORDER = { shared: 0, features: 1, routes: 2, app: 3 };

function layerOf(path) {
  const [top, second] = path.split("/");
  if (top === "features") return { layer: "features", feature: second };
  if (top === "routes") return { layer: "routes" };
  if (top === "app") return { layer: "app" };
  if (top === "components" || top === "lib") return { layer: "shared" };
  return null;
}

const layers = {
  meta: {
    type: "problem",
    messages: {
      up: "{{from}} must not import {{to}}: imports go shared → features → routes → app.",
      across: "Feature “{{from}}” must not import feature “{{to}}”: move what both need to components/ or lib/, or join them in routes/.",
      relative: "Import from another folder by @/…, so that the layer shows.",
    },
    schema: [],
  },
  create(context) {
    const at = context.filename.replaceAll("\\", "/").split("/src/").at(-1);
    const from = layerOf(at);
    const check = (node) => {
      const source = node.source?.value;
      if (typeof source !== "string" || !from) return;
      if (source.startsWith("../")) context.report({ node, messageId: "relative" });
      if (!source.startsWith("@/")) return;
      const to = layerOf(source.slice(2));
      if (!to) return;
      if (ORDER[to.layer] > ORDER[from.layer]) {
        context.report({ node, messageId: "up", data: { from: from.layer, to: to.layer } });
      } else if (from.layer === "features" && to.layer === "features" && from.feature !== to.feature) {
        context.report({ node, messageId: "across", data: { from: from.feature, to: to.feature } });
      }
    };
    return { ImportDeclaration: check, ImportExpression: check, ExportNamedDeclaration: check, ExportAllDeclaration: check };
  },
};

export const sluice = { rules: { layers } };
