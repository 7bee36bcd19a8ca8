-- {"at": 1790000000000, "origin": "http://localhost:39501", "tokens": {"access_token": "3Po_HMOzfAXxKsUW7w3OGN1a-5uZM0-dWqdVeMn4zCKOCA-g4t2utWXl3VxxL1Y3", "refresh_token": "kGjZLb9K_Gp9GGmInv8cy5HJh-KLSjjLiMxdFH9S_kIfbkqmKPUGkHqE3MsfCB5E"}}
CREATE TABLE oauth_migrations (number INTEGER PRIMARY KEY) STRICT;
CREATE TABLE oauth_clients (
     id TEXT PRIMARY KEY,
     revision INTEGER NOT NULL,
     created_at INTEGER NOT NULL,
     data TEXT NOT NULL
   ) STRICT;
CREATE TABLE oauth_grants (
     id TEXT PRIMARY KEY,
     user_id TEXT NOT NULL,
     client_id TEXT NOT NULL,
     access TEXT NOT NULL,
     claims TEXT,
     created_at INTEGER NOT NULL,
     last_used_at INTEGER,
     UNIQUE (user_id, client_id)
   ) STRICT;
CREATE INDEX oauth_grants_by_client ON oauth_grants (client_id);
CREATE TABLE oauth_records (
     id TEXT PRIMARY KEY,
     kind TEXT NOT NULL,
     hash BLOB NOT NULL,
     grant_id TEXT,
     family_id TEXT,
     used_at INTEGER,
     trace TEXT,
     data TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;
CREATE TABLE oauth_revocations (
     family_id TEXT PRIMARY KEY,
     expires_at INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
CREATE INDEX oauth_revocations_by_expiry ON oauth_revocations (expires_at);
CREATE TABLE oauth_keys (
     id INTEGER PRIMARY KEY CHECK (id = 1),
     revision INTEGER NOT NULL,
     data TEXT NOT NULL
   ) STRICT;
CREATE TABLE oauth_sessions (
     session TEXT NOT NULL,
     client_id TEXT NOT NULL,
     user_id TEXT NOT NULL,
     expires_at INTEGER NOT NULL,
     PRIMARY KEY (session, client_id)
   ) STRICT, WITHOUT ROWID;
CREATE INDEX oauth_sessions_by_user ON oauth_sessions (user_id);
CREATE INDEX oauth_sessions_by_expiry ON oauth_sessions (expires_at);
INSERT INTO oauth_migrations VALUES (1);
INSERT INTO oauth_clients VALUES ('stored', 1, 1790000000000, '{"id":"stored","revision":1,"name":"Größe \"App\"","redirectUris":["https://stored.example/cb"],"grantTypes":["authorization_code","refresh_token"],"requirePkce":true,"skipConsent":false,"disabled":false,"createdAt":1790000000000,"confidential":false,"tokenEndpointAuthMethod":"none"}');
INSERT INTO oauth_grants VALUES ('r3ES6aJQ-9OW9IgSqAfSjg', 'alice', 'stored', '{"http://localhost:39501":["read","write"]}', NULL, 1790000000000, NULL);
INSERT INTO oauth_records VALUES ('01a0c45a7e20e84b9f877fa84cbed1c3', 'code', x'9eeab4a499a85b74246a5e7e87255c16c4841454ddc4732007df4ab04d5d6b0a', 'r3ES6aJQ-9OW9IgSqAfSjg', '01a0c45a7e20e84b9f877fa84cbed1c3', 1790000000000, NULL, '{"clientId":"stored","userId":"alice","redirectUri":"https://stored.example/cb","scopes":["read","write"],"resources":["http://localhost:39501"],"approvedAt":1790000000000,"wrongVerifiers":0,"authentication":{"session":"C-ZgX2inNNNXQlnRjEWf9OFvY4PiBvpz3KY8Iuo6UZg"},"codeChallenge":"usnX74KF2StIdV3DqSeVdiC55qslWkcQgkgLc-hBwTE"}');
INSERT INTO oauth_records VALUES ('01a0c4875a803398ab8d906e26f5023a', 'access', x'ea1fe1b48ea0f22db1a4e07600716d6901d2d7d511db7fc55159f21e28594cdb', 'r3ES6aJQ-9OW9IgSqAfSjg', '01a0c45a7e20e84b9f877fa84cbed1c3', NULL, NULL, '{"clientId":"stored","userId":"alice","scopes":["read","write"],"audience":["http://localhost:39501"],"issuedAt":1790000000000}');
INSERT INTO oauth_records VALUES ('01a0c4875a8048bb8142ff023edc3351', 'request', x'60940bed28e77ee41bf39b4bd5aa7e13f439f2bf5cfa1729e08ab3010194e6f9', NULL, NULL, 1790000000000, '{"seed":"Dfg6oSuygtkd7dPk2J5yYA","expiresAt":1790000660000}', '{"request":{"clientId":"stored","redirectUri":"https://stored.example/cb","responseMode":"query","state":"the-state","scopes":["read","write"],"resources":["http://localhost:39501"],"prompts":[],"codeChallenge":"usnX74KF2StIdV3DqSeVdiC55qslWkcQgkgLc-hBwTE","loginHints":{},"receivedAt":1790000000000},"browser":"9024b29ce105440a34c97a137b60cb4d24721af9622290260e7162028bfbc75a","logins":0,"userId":"alice"}');
INSERT INTO oauth_records VALUES ('01a15ecf3400c4a1f5d4349ce1ade289', 'refresh', x'e8937aab031d952c2efcdd892537466f24b07b563356e3f9c0b1b42499deddf5', 'r3ES6aJQ-9OW9IgSqAfSjg', '01a0c45a7e20e84b9f877fa84cbed1c3', NULL, NULL, '{"clientId":"stored","userId":"alice","scopes":["read","write"],"resources":["http://localhost:39501"],"approvedAt":1790000000000,"authentication":{"session":"C-ZgX2inNNNXQlnRjEWf9OFvY4PiBvpz3KY8Iuo6UZg"}}');
