/** STUB: signatures first, bodies follow. */
import type { NodeId, TableId } from '../../base/ids.js';
import type { TreeSettings } from '../settings.js';
import type { LogicalManifest } from '../version/logical-manifest.js';
import type { TreeOp } from '../version/tree-op.js';

export type PlanChoice = { readonly kind: 'plan'; readonly op: Extract<TreeOp, { kind: 'plan' }>; readonly why: string } | { readonly kind: 'none' };
export interface PickerInput {
  readonly manifest: LogicalManifest;
  readonly settings: TreeSettings;
  readonly proposer: NodeId;
  readonly gcRevision: number;
  /** Tables that must not be inputs (lost blocks). */
  readonly blocked: (id: TableId) => boolean;
}
/** Pure. Call again after each plan that was applied: several may be pending if they do not meet. */
export function pickLeveled(input: PickerInput): PlanChoice {
  throw new Error(`stub ${input.proposer}`);
}
