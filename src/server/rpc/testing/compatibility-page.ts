/** What `docs/etcd-compatibility.md` says in its tables. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const PAGE = readFileSync(`${ROOT}docs/etcd-compatibility.md`, 'utf8');

interface Row {
  readonly name: string;
  readonly state: string;
  readonly rest: readonly string[];
}

/** The rows of the tables whose first cell is a name in backquotes. */
export function rowsOf(heading: string): Row[] {
  const section = new RegExp(`\\n## ${heading}\\n([^]*?)(?=\\n## |$)`).exec(PAGE)?.[1] ?? '';
  return section.split('\n').filter((line) => line.startsWith('| `')).map((line) => {
    const [name = '', state = '', ...rest] = line.split('|').slice(1, -1).map((cell) => cell.trim());
    return { name: name.replaceAll('`', ''), state, rest };
  });
}

/** Files that a cell links to, from the top of the repository. */
export function linksIn(cell: string): string[] {
  return [...cell.matchAll(/\]\(\.\.\/([^)]+)\)/g)].map(([, path]) => path as string);
}
