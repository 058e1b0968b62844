/** What the address of a stack says beside its id: the part that is shown, and the versions compared. */
export interface StackSearch {
  tab?: string;
  a?: string;
  b?: string;
}
