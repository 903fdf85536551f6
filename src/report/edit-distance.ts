/** How far two sequences of symbols are apart. */

/** Insertions, deletions and replacements from one to the other: Levenshtein 1966. */
export function editDistance<T>(a: readonly T[], b: readonly T[]): number {
  let before = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (const [i, one] of a.entries()) {
    const row = [i + 1];
    for (const [j, other] of b.entries()) {
      row.push(
        Math.min(
          (row[j] as number) + 1,
          (before[j + 1] as number) + 1,
          (before[j] as number) + (one === other ? 0 : 1),
        ),
      );
    }
    before = row;
  }
  return before[b.length] as number;
}
