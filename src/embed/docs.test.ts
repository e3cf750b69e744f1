/** The examples of docs/client.md run as they stand there, but for their types. */

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { transformSync } from 'esbuild';

const root = fileURLToPath(new URL('../..', import.meta.url));
const SOURCES: Readonly<Record<string, string>> = {
  'kintsugi/client': 'client/client', 'kintsugi/testing': 'embed/memory', 'kintsugi/keyv': 'drivers/keyv',
  'kintsugi/unstorage': 'drivers/unstorage',
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

/** In their place they have the sources of this checkout, in the form in which this test runs. */
function resolved(code: string): string {
  return code.replaceAll(/from '(kintsugi\/\w+)'/g, (all, name: string) => {
    const source = SOURCES[name];
    return source === undefined ? all : `from '${new URL(`../${source}${extname(import.meta.url)}`, import.meta.url).href}'`;
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
      const file = join(dir, `example-${i}.mjs`);
      writeFileSync(file, transformSync(resolved(`${prelude}\n${code}\nawait store.close();\nexport {};\n`), { loader: 'ts', target: 'node20' }).code);
      await import(pathToFileURL(file).href);
    });
  }
});
