/** How texts are divided into symbols that have numbers, and put together again. */

export type UnitOfText = 'characters' | 'words';

export interface SymbolTable {
  readonly units: UnitOfText;
  /** symbol i has the number i + 1 */
  readonly symbols: readonly string[];
}

export interface SymbolTables {
  readonly source: SymbolTable;
  readonly target: SymbolTable;
}

/** Stored with a data set and with a version under this name. */
export const symbolsFile = 'symbols.json';

export function symbolsOf(text: string, units: UnitOfText): string[] {
  const normal = text.normalize('NFC').trim();
  return units === 'characters' ? [...normal] : normal.split(/\s+/).filter((symbol) => symbol !== '');
}

export const textOf = (symbols: readonly string[], units: UnitOfText): string =>
  symbols.join(units === 'characters' ? '' : ' ');
