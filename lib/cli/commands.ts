import { auditExport } from './audit-export.js'
import { auditList } from './audit-list.js'
import { clientsAdd } from './clients-add.js'
import { clientsList } from './clients-list.js'
import { clientsRemove } from './clients-remove.js'
import { clientsRotateSecret } from './clients-rotate-secret.js'
import { clientsShow } from './clients-show.js'
import { clientsUpdate } from './clients-update.js'
import type { Command } from './command.js'
import { doctor } from './doctor/doctor.js'
import { grantsList } from './grants-list.js'
import { grantsRevoke } from './grants-revoke.js'
import { init } from './init/init.js'
import { keysList } from './keys-list.js'
import { keysRevoke } from './keys-revoke.js'
import { keysRotate } from './keys-rotate.js'
import { migrate } from './migrate.js'
import { purge } from './purge.js'
import { stats } from './stats.js'

/** All that can be typed behind the name of the program; `help` and `--version` beside them. */
export const COMMANDS: readonly Command[] = [
  init,
  doctor,
  clientsAdd,
  clientsList,
  clientsShow,
  clientsUpdate,
  clientsRotateSecret,
  clientsRemove,
  grantsList,
  grantsRevoke,
  keysList,
  keysRotate,
  keysRevoke,
  auditList,
  auditExport,
  stats,
  purge,
  migrate,
]
