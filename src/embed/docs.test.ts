/** The examples of docs/client.md run as they stand there. */

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const SOURCES: Readonly<Record<string, string>> = {
  'kintsugi/client': 'client/client.ts', 'kintsugi/testing': 'embed/memory.ts', 'kintsugi/keyv': 'drivers/keyv.ts',
  'kintsugi/unstorage': 'drivers/unstorage.ts',
};

interface Example {
  readonly heading: string;
  readonly code: string;
}

function examples(markdown: string): { readonly prelude: string; readonly found: readonly Example[] } {
  let prelude = '';
  const found: Example[] = [];
  for (const [block] of markdown.matchAll(/^## .*$|^```ts[^\n]*\n[^]*?^```$/gm)) {
    if (block.startsWith('## ')) found.push({ heading: block.slice(3), code: '' });
    else if (block.startsWith('```ts prelude')) prelude = bodyOf(block);
    else found.push({ heading: found.at(-1)?.heading ?? '', code: bodyOf(block) });
  }
  return { prelude, found: found.filter(({ code }) => code !== '') };
}

const bodyOf = (block: string): string => block.split('\n').slice(1, -1).join('\n');

/** In their place they have the sources of this checkout. */
function resolved(code: string): string {
  return code.replaceAll(/from '(kintsugi\/\w+)'/g, (all, name: string) => {
    const source = SOURCES[name];
    return source === undefined ? all : `from '${pathToFileURL(join(root, 'src', source)).href}'`;
  });
}

describe('docs/client.md', () => {
  const { prelude, found } = examples(readFileSync(join(root, 'docs/client.md'), 'utf8'));
  let dir: string;

  // Within the checkout, so that packages are found from there.
  before(() => {
    dir = mkdtempSync(join(root, 'node_modules', '.docs-'));
  });

  after(() => rmSync(dir, { recursive: true, force: true }));

  it('has examples', () => assert.ok(prelude !== '' && found.length >= 7, `${found.length} examples`));

  for (const [i, { heading, code }] of found.entries()) {
    it(`${heading}, example ${i + 1}`, async () => {
      const file = join(dir, `example-${i}.mts`);
      writeFileSync(file, resolved(`${prelude}\n${code}\nawait store.close();\nexport {};\n`));
      await import(pathToFileURL(file).href);
    });
  }
});
