/** What the gate says beside the count, as sentences: why it takes more, who rejected, whose approval does not count. */
export function reasons(because: string[]): string[] {
  // The count itself stands in the head of the section.
  return because.filter((each) => !/^\d+ of \d+ approvals?(: .*)?\.?$/.test(each)).map(sentence);
}

function sentence(text: string): string {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}
