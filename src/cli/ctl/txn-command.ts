/** txn: reads etcdctl's text form from standard input and carries it out at once, or not at all. */

import { UsageFault, type Context } from './context.js';
import { rawText } from '../render/raw-text.js';
import { printKv } from './print-kv.js';
import type { Register } from './register.js';
import { parseTxn } from './txn-text.js';

async function txn(context: Context, args: readonly string[], flags: { readonly interactive?: boolean }): Promise<void> {
  context.refuseTable();
  if (args.length > 0) throw new UsageFault('txn command does not accept argument: it is read from standard input');
  if (flags.interactive === true) throw new UsageFault('txn --interactive is not served: write the txn to standard input, see --help');
  const request = parseTxn(rawText(await context.io.stdin()));
  printKv(context, { kind: 'txn', response: await context.client.commit(request) });
}

export function addTxnCommand(register: Register): void {
  register.command('txn', '', 'several operations at once, if conditions hold; read from standard input', txn, `
  kintsugi ctl txn <<'EOF'
  mod("greeting") > "0"
  val("greeting") = "hello"

  put greeting "hello again"
  get greeting

  put greeting hello

  EOF
The three parts (conditions, operations if all of them hold, operations otherwise) each end with an empty line.
Conditions: ver create mod val lease, with = != < >. Operations: get put del, with their flags.`)
    .option('-i, --interactive', 'not served');
}
