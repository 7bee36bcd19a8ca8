/** How far the tables are, and how far this version of the package would bring them; 0: there are none. */
export interface TableVersion {
  readonly at: number
  readonly latest: number
}

/** Which versions of the tables there were before a migration and after it; 0: none. */
export interface Migrated {
  readonly from: number
  readonly to: number
}
