/** alarm list, alarm disarm: output of etcdctl. */

import type { ActiveAlarm, AlarmList } from '../../client/client.js';
import { goJson, nonZero } from '../render/go.js';
import { UsageFault, type Context } from './context.js';
import { headerFields, jsonHeader } from './print-kv.js';
import type { Register } from './register.js';

function show(context: Context, { header, alarms }: AlarmList): void {
  const { io, format } = context;
  if (format === 'json') {
    const list = alarms.map(({ memberId, alarm }) => ({ memberID: nonZero(memberId), alarm: alarm === 'NOSPACE' ? 1 : 2 }));
    io.out(`${goJson({ header: jsonHeader(header), alarms: nonZero(list) })}\n`);
    return;
  }
  if (format === 'fields') io.out(headerFields(header));
  for (const { memberId, alarm } of alarms) context.line(`memberID:${memberId} alarm:${alarm} `);
}

async function alarmList(context: Context, args: readonly string[]): Promise<void> {
  if (args.length > 0) throw new UsageFault('alarm list command accepts no arguments');
  show(context, await context.client.alarms());
}

/** All that are active. */
async function alarmDisarm(context: Context, args: readonly string[]): Promise<void> {
  if (args.length > 0) throw new UsageFault('alarm disarm command accepts no arguments');
  const { header, alarms } = await context.client.alarms();
  const gone: ActiveAlarm[] = [];
  for (const alarm of alarms) gone.push(...(await context.client.disarm(alarm)).alarms);
  show(context, { header, alarms: gone });
}

export function addAlarmCommands(register: Register): void {
  const alarm = register.group('alarm', 'what stops writes', `
  kintsugi ctl alarm list
  kintsugi ctl alarm disarm`);
  alarm.command('list', '', 'active alarms', alarmList, `
  kintsugi ctl alarm list`);
  alarm.command('disarm', '', 'take all alarms back', alarmDisarm, `
  kintsugi ctl alarm disarm`);
}
