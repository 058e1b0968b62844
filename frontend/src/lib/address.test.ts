import { expect, it } from "vitest";
import { splitAddress } from "./address";

it.each([
  ["aws_instance.this", { module: "", type: "aws_instance", name: "this" }],
  ['module.ledger.aws_db_instance.replica["eu-west-1b"]', { module: "module.ledger", type: "aws_db_instance", name: 'replica["eu-west-1b"]' }],
  ['module.a["x.y"].module.b.data.aws_ami.this[0]', { module: 'module.a["x.y"].module.b', type: "data.aws_ami", name: "this[0]" }],
  ['terraform_data.alert["a\\"].b"]', { module: "", type: "terraform_data", name: 'alert["a\\"].b"]' }],
])("%s is taken apart, dots inside an index aside", (address, parts) => {
  expect(splitAddress(address)).toEqual(parts);
});
