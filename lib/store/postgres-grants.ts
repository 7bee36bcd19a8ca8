import { MOST_RESOURCES, NOWHERE } from './merge-grants.js'

/** Puts what is second behind all that is first. */
const BEHIND = 1_000_000
/** As `jsonb`. */
const NOWHERE_AS_JSON = `'${JSON.stringify(NOWHERE)}'`

/** What is no longer a list must not pass for what has never been there. */
const unlessNull = (column: string) => `CASE g.${column} WHEN 'null' THEN '""' ELSE g.${column} END`

/** A grant `g` as one text of JSON: it may stand beside another row, and needs nothing of the driver. */
export const GRANT_AS_JSON = `json_build_object('id', g.id, 'user_id', g.user_id, 'client_id', g.client_id, 'access', g.access,
         'claims', ${unlessNull('claims')}, 'created_at', g.created_at, 'last_used_at', g.last_used_at, 'last_used_from', g.last_used_from,
         'withdrawn', ${unlessNull('withdrawn')})::text AS grant_json`

/** The parts of `jsonb` arrays in their order, each once, as a `Set` has them. */
function union(first: string, second: string): string {
  return `(SELECT coalesce(jsonb_agg(item ORDER BY place), '[]') FROM (
             SELECT item, min(place) AS place FROM (
               SELECT item, place FROM jsonb_array_elements(${first}) WITH ORDINALITY AS one(item, place)
               UNION ALL
               SELECT item, ${BEHIND} + place FROM jsonb_array_elements(${second}) WITH ORDINALITY AS two(item, place)
             ) AS every GROUP BY item) AS each)`
}

function orNull(list: string): string {
  return `nullif(${list}, '[]')`
}

/** `mergeGrants`, for the grant `g` that is there and the one that is `excluded`. */
const MERGED = {
  access: `(WITH every AS (
               SELECT pair, place FROM jsonb_array_elements(g.access) WITH ORDINALITY AS known(pair, place)
               WHERE NOT EXISTS (SELECT 1 FROM jsonb_array_elements(excluded.access) AS added(pair) WHERE added.pair -> 0 = known.pair -> 0)
               UNION ALL
               SELECT jsonb_build_array(added.pair -> 0, ${union("coalesce(known.pair -> 1, '[]')", 'added.pair -> 1')}), ${BEHIND} + added.place
               FROM jsonb_array_elements(excluded.access) WITH ORDINALITY AS added(pair, place)
               LEFT JOIN jsonb_array_elements(g.access) AS known(pair) ON known.pair -> 0 = added.pair -> 0),
             aged AS (SELECT pair, place, row_number() OVER (ORDER BY place DESC) AS age FROM every WHERE pair -> 0 <> ${NOWHERE_AS_JSON}),
             unplaced AS (SELECT pair, 0 AS place FROM every WHERE pair -> 0 = ${NOWHERE_AS_JSON}
               UNION ALL SELECT pair, place FROM aged WHERE age > ${MOST_RESOURCES}),
             nowhere AS (SELECT item, min(unplaced.place * ${BEHIND}::bigint + scope.place) AS place
               FROM unplaced, jsonb_array_elements(unplaced.pair -> 1) WITH ORDINALITY AS scope(item, place)
               WHERE NOT coalesce(g.withdrawn, '[]') @> item GROUP BY item)
             SELECT (SELECT coalesce(jsonb_agg(pair ORDER BY place), '[]') FROM aged WHERE age <= ${MOST_RESOURCES})
               || (SELECT CASE count(*) WHEN 0 THEN '[]'
                     ELSE jsonb_build_array(jsonb_build_array(${NOWHERE_AS_JSON}::jsonb, jsonb_agg(item ORDER BY place))) END FROM nowhere))`,
  claims: orNull(union("coalesce(g.claims, '[]')", "coalesce(excluded.claims, '[]')")),
  withdrawn: orNull(`(SELECT coalesce(jsonb_agg(item ORDER BY place), '[]')
             FROM jsonb_array_elements(coalesce(g.withdrawn, '[]')) WITH ORDINALITY AS before(item, place)
             WHERE NOT EXISTS (SELECT 1 FROM jsonb_array_elements(excluded.access) AS added(pair)
               WHERE added.pair -> 1 @> item AND added.pair -> 0 <> ${NOWHERE_AS_JSON}))`),
} as const

/** Adds the grant whose members are these parameters, or merges it into the one that is there. `when`: a table of one row, or of none. */
export function saveGrant(schema: string, first: number, when = ''): string {
  const types = ['text', 'text', 'text', 'jsonb', 'jsonb', 'bigint', 'bigint', 'text', 'jsonb']
  const members = types.map((type, index) => `$${first + index}::${type}`)
  return `INSERT INTO ${schema}oauth_grants AS g
         (id, user_id, client_id, access, claims, created_at, last_used_at, last_used_from, withdrawn)
       SELECT ${members.join(', ')} ${when}
       ON CONFLICT (user_id, client_id) DO UPDATE
         SET access = ${MERGED.access}, claims = ${MERGED.claims}, withdrawn = ${MERGED.withdrawn}
       RETURNING g.id, ${GRANT_AS_JSON}`
}

/**
 * `withoutScopes`, for up to $2 grants that have one of the scopes $1; those of which nothing is left are deleted. They are locked in one order, so
 * that two who do it do not wait for each other, and read as they are once they are locked.
 */
export function withdrawScopes(schema: string, conditions: readonly string[]): string {
  const hasOne = `EXISTS (SELECT 1 FROM jsonb_array_elements(g.access) AS resource(pair), jsonb_array_elements($1::jsonb) AS scope(item)
           WHERE resource.pair -> 1 @> scope.item)`
  const had = `(SELECT coalesce(jsonb_agg(item ORDER BY place), '[]') FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS withdrawn(item, place)
               WHERE EXISTS (SELECT 1 FROM jsonb_array_elements(g.access) AS resource(pair) WHERE resource.pair -> 1 @> item))`
  return `WITH chosen AS MATERIALIZED (
         SELECT g.* FROM ${schema}oauth_grants AS g WHERE ${[...conditions, hasOne].join(' AND ')} ORDER BY g.id LIMIT $2 FOR UPDATE),
       narrowed AS MATERIALIZED (SELECT g.id, g.user_id, g.client_id, g.claims, g.created_at, g.last_used_at, g.last_used_from,
         (SELECT coalesce(jsonb_agg(jsonb_build_array(resource, scopes) ORDER BY place), '[]') FROM (
             SELECT known.pair -> 0 AS resource, known.place, jsonb_agg(scope.item ORDER BY scope.place) AS scopes
             FROM jsonb_array_elements(g.access) WITH ORDINALITY AS known(pair, place),
               jsonb_array_elements(known.pair -> 1) WITH ORDINALITY AS scope(item, place)
             WHERE NOT $1::jsonb @> scope.item GROUP BY known.pair, known.place) AS kept) AS access,
         ${union("coalesce(g.withdrawn, '[]')", had)} AS withdrawn
         FROM chosen AS g),
       kept AS (UPDATE ${schema}oauth_grants AS g SET access = n.access, withdrawn = n.withdrawn
         FROM narrowed AS n WHERE g.id = n.id AND n.access <> '[]'),
       ended AS (DELETE FROM ${schema}oauth_grants AS g USING narrowed AS n WHERE g.id = n.id AND n.access = '[]')
       SELECT ${GRANT_AS_JSON} FROM narrowed AS g ORDER BY g.id`
}
