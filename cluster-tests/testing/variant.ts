/**
 * The program that was built, with other values of constants: what no test can wait for until it is
 * written, as a newer program, or what costs too much to reach, as a limit of half a gibibyte. All
 * else is the same file.
 */

import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { kintsugi, KINTSUGI_MAIN, ROOT, type Binary } from '../../scripts/lib/binary.js';
import { Failure } from '../../scripts/lib/command.js';

/** Below `dir`, which is made anew. `constants`: by name, what stands behind the equals sign. */
export function variant(dir: string, constants: Readonly<Record<string, string>>): Binary {
  const bin = dirname(KINTSUGI_MAIN);
  const dist = dirname(bin);
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(join(dir, 'dist', 'bin'), { recursive: true });
  // What the program looks for beside itself.
  for (const name of ['node_modules', 'proto']) symlinkSync(join(ROOT, name), join(dir, name));
  cpSync(join(ROOT, 'package.json'), join(dir, 'package.json'));
  for (const name of readdirSync(dist)) if (name !== 'bin') symlinkSync(join(dist, name), join(dir, 'dist', name));
  const met = new Map(Object.keys(constants).map((name) => [name, 0]));
  for (const name of readdirSync(bin)) {
    let text = readFileSync(join(bin, name), 'utf8');
    for (const [constant, value] of Object.entries(constants)) {
      text = text.replace(new RegExp(`^var ${constant} = .*;$`, 'gm'), () => {
        met.set(constant, (met.get(constant) ?? 0) + 1);
        return `var ${constant} = ${value};`;
      });
    }
    writeFileSync(join(dir, 'dist', 'bin', name), text);
  }
  for (const [constant, times] of met) if (times !== 1) throw new Failure(`${constant} is set ${times} times in ${bin}`);
  const main = join(dir, 'dist', 'bin', 'kintsugi.js');
  return { ...kintsugi(), args: [main, 'start'], version: Object.entries(constants).join(' ') };
}
