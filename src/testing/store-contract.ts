// The contract of a store as a suite that every driver runs: what src/store/contract.ts says in types, said in cases. It imports
// no test runner: `for (const { name, run } of storeContract) it(name, () => run(open))`.

import { admissionCases } from './contract/admission.js'
import { alertCases } from './contract/alerts.js'
import { auditCases } from './contract/audit.js'
import { detailCases } from './contract/details.js'
import { directoryCases } from './contract/directory.js'
import { holdTableCases } from './contract/hold-table.js'
import { holdCases } from './contract/holds.js'
import type { StoreContractCase } from './contract/kit.js'
import { ledgerCases } from './contract/ledger.js'
import { lifetimeCases } from './contract/lifetimes.js'
import { moneyCases } from './contract/money.js'
import { openedCases } from './contract/opened.js'
import { registryCases } from './contract/registry.js'
import { restartCases } from './contract/restart.js'
import { restartChargeCases } from './contract/restart-charges.js'
import { windowCases } from './contract/windows.js'

export type { OpenStore, StoreContractCase } from './contract/kit.js'

/** Every case of the contract. Each opens an empty store of its own, on a clock that the case drives as store time. */
export const storeContract: readonly StoreContractCase[] = [...admissionCases, ...holdTableCases, ...holdCases, ...windowCases, ...lifetimeCases, ...openedCases, ...restartCases, ...restartChargeCases, ...moneyCases, ...detailCases, ...ledgerCases, ...alertCases, ...directoryCases, ...registryCases, ...auditCases]
