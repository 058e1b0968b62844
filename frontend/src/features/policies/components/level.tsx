import { Segmented } from "@/components/ui/tabs";
import { cx } from "@/lib/cx";
import { type Level, LEVEL_WORDS, LEVELS } from "@/features/policies/api/policies";

const WEIGHT: Record<Level, string> = { "hard-mandatory": "font-semibold", "soft-mandatory": "font-medium", advisory: "text-ink-2" };

/** Told apart by weight: a level is no status. */
export function LevelText({ level, className }: { level: Level; className?: string }) {
  return <span className={cx(WEIGHT[level], className)} title={LEVEL_WORDS[level]}>{level}</span>;
}

/** One of the three, with what it means. */
export function LevelChoice({ value, onChange, terse = false }: { value: Level; onChange: (level: Level) => void; terse?: boolean }) {
  return (
    <div>
      <Segmented label="Enforcement level" value={value} onChange={onChange} options={LEVELS.map((level) => ({ value: level, label: level }))} />
      {terse ? null : <p className="mt-1 text-12 text-ink-2">{LEVEL_WORDS[value]}</p>}
    </div>
  );
}
