import { describe, expect, it } from "vitest";
import { backendKind, type BackendForm, formOf, missingOf, settingsOf } from "./fields";

const s3: BackendForm = { backend: "s3", values: { bucket: " states ", key: "prod.tfstate", region: "eu-west-1", dynamodb_table: "" }, other: 'encrypt = true\nendpoints = {"s3": "http://127.0.0.1:9000"}\nkms_key_id = alias/states' };

describe("the settings of a backend", () => {
  it("are trimmed, without what is empty, and with the lines read as JSON or text", () => {
    expect(settingsOf(s3)).toEqual({ settings: { bucket: "states", key: "prod.tfstate", region: "eu-west-1", encrypt: true, endpoints: { s3: "http://127.0.0.1:9000" }, kms_key_id: "alias/states" }, error: null });
  });

  it("come back into the form as they went out", () => {
    const { settings } = settingsOf(s3);
    expect(settingsOf(formOf("s3", settings)).settings).toEqual(settings);
  });

  it("say which one is missing, and which line can't be read", () => {
    expect(missingOf({ ...s3, values: { bucket: "states" } })).toBe("Key is missing");
    expect(missingOf({ ...s3, other: "encrypt" })).toContain("encrypt");
    expect(missingOf(s3)).toBeNull();
    expect(missingOf({ backend: "managed", values: {}, other: "" })).toBeNull();
  });

  it("never ask for a secret", () => {
    for (const id of ["s3", "azurerm", "gcs", "hcp"]) {
      expect(backendKind(id).credentials).toBeTruthy();
      expect(backendKind(id).fields.map((field) => field.name).join()).not.toMatch(/secret|token|access_key|credentials/);
    }
  });
});
