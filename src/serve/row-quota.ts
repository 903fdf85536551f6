/** Rows that a tenant may have answered in a time, as predictions see it. gateway/quotas.ts keeps the account. */

export interface RowQuota {
  /** whether `take` would let rows in now */
  isOpen(): boolean;
  /** Counts rows. Throws `quota-exceeded`. */
  take(rows: number): void;
  /** Counts rows that were let in before it was known how many they are. A negative number gives rows back. */
  owe(rows: number): void;
}

/** Does the work for so many rows; where it fails they count for nothing. Throws `quota-exceeded` and what `work` throws. */
export async function charged<T>(quota: RowQuota | undefined, rows: number, work: () => Promise<T>): Promise<T> {
  if (!quota) return work();
  quota.take(rows);
  try {
    return await work();
  } catch (error) {
    quota.owe(-rows);
    throw error;
  }
}
