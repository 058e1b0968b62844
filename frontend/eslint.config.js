import js from "@eslint/js";
import reactHooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";
import { sluice } from "./scripts/eslint-layers.js";

export default tseslint.config(
  { ignores: ["dist", "node_modules", "test-results", "src/lib/api/schema.gen.ts", "public"] },
  js.configs.recommended,
  {
    files: ["src/**/*.{ts,tsx}"],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { "react-hooks": reactHooks, sluice },
    rules: {
      ...reactHooks.configs.recommended.rules,
      // Numbers read well in templates; everything else stays strict.
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      // Event handlers may be async: React ignores the promise and the mutation reports its own error.
      "@typescript-eslint/no-misused-promises": ["error", { checksVoidReturn: { attributes: false } }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      // Router's redirect() and notFound() are thrown by design.
      "@typescript-eslint/only-throw-error": ["error", { allow: ["Redirect", "NotFoundError"] }],
      // The compiler rules of the plugin judge code that a virtualizer can't satisfy.
      "react-hooks/incompatible-library": "off",
      "max-lines": ["error", { max: 350, skipBlankLines: true }],
      "sluice/layers": "error",
    },
  },
  {
    files: ["**/*.{js,mjs}", "vite.config.ts"],
    languageOptions: { globals: { process: "readonly", console: "readonly", URL: "readonly", setTimeout: "readonly", document: "readonly", localStorage: "readonly", fetch: "readonly" } },
  },
);
