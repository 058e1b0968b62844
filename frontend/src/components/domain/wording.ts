import { createContext, useContext } from "react";
import type { Wording } from "@/lib/actions";

/** How the changes within are named; see `Wording`. */
export const WordingContext = createContext<Wording>("plan");

export function useWording(): Wording {
  return useContext(WordingContext);
}
