BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE annotation (
	id INTEGER NOT NULL, 
	data_id INTEGER NOT NULL, 
	term_id INTEGER NOT NULL, 
	kind VARCHAR(1) NOT NULL, 
	text VARCHAR, 
	number FLOAT, 
	is_exact BOOLEAN NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(data_id) REFERENCES data (id), 
	FOREIGN KEY(term_id) REFERENCES term (id)
);
INSERT INTO "annotation" VALUES(1,1,2,'t','p53 µ',NULL,1);
INSERT INTO "annotation" VALUES(2,1,1,'t','2.5',2.5,1);
CREATE TABLE data (
	id INTEGER NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	is_raw BOOLEAN NOT NULL, 
	uuid VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	author VARCHAR NOT NULL, 
	date VARCHAR NOT NULL, 
	format VARCHAR NOT NULL, 
	output_name VARCHAR NOT NULL, 
	content VARCHAR NOT NULL, 
	parent_id INTEGER, 
	source_id INTEGER NOT NULL, 
	document TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(experiment_id) REFERENCES experiment (id), 
	FOREIGN KEY(parent_id) REFERENCES data (id)
);
INSERT INTO "data" VALUES(1,1,1,'259653de-99ef-4e4d-b35e-b9fe73245e51','cell 1.tif','ada','2024-02-29','imagetiff','','61/6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d.tif',NULL,1,'{"uuid":"259653de-99ef-4e4d-b35e-b9fe73245e51","origin":{"type":"raw"},"common":{"name":"cell 1.tif","author":"ada","date":"2024-02-29","format":"imagetiff","url":"61/6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d.tif"},"metadata":{"PhysicalSizeX":0.16,"PhysicalSizeXUnit":"\u00b5m"},"key_value_pairs":{"Population":"p53 \u00b5","Dose":"2.5"}}');
INSERT INTO "data" VALUES(2,1,0,'3c5cf16b-5eaf-48d8-a10b-0115882a7a07','cell 1 mask','ada','2024-03-01','imagetiff','o','48/48bf9b4f142ab45cac6f33cf99415bca6ca8e07608a031237aa76560fec2204b.tif',1,1,'{"uuid":"3c5cf16b-5eaf-48d8-a10b-0115882a7a07","common":{"name":"cell 1 mask","author":"ada","date":"2024-03-01","format":"imagetiff","url":"48/48bf9b4f142ab45cac6f33cf99415bca6ca8e07608a031237aa76560fec2204b.tif"},"origin":{"type":"processed","run":{"url":"run/1","uuid":"98f37295-2466-440a-b7b3-cf11511d8625"},"inputs":[{"name":"image","url":"data/1","uuid":"259653de-99ef-4e4d-b35e-b9fe73245e51","type":"raw"}],"output":{"name":"o","label":"Mask"}}}');
CREATE TABLE dataset (
	id INTEGER NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	is_raw BOOLEAN NOT NULL, 
	name VARCHAR NOT NULL, 
	uuid VARCHAR NOT NULL, 
	document TEXT NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT uq_dataset_name UNIQUE (experiment_id, name), 
	FOREIGN KEY(experiment_id) REFERENCES experiment (id)
);
INSERT INTO "dataset" VALUES(1,1,1,'data','5f3e37e6-700e-43ae-80be-143fb13be9b6','{"uuid":"5f3e37e6-700e-43ae-80be-143fb13be9b6","name":"data","urls":[]}');
INSERT INTO "dataset" VALUES(2,1,0,'threshold','78a5206b-3a83-4cbc-b667-c682129ee2f6','{"uuid":"78a5206b-3a83-4cbc-b667-c682129ee2f6","name":"threshold","urls":[]}');
CREATE TABLE entry (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	dataset_id INTEGER NOT NULL, 
	data_id INTEGER, 
	md_uri VARCHAR NOT NULL, 
	uuid VARCHAR NOT NULL, 
	FOREIGN KEY(dataset_id) REFERENCES dataset (id), 
	FOREIGN KEY(data_id) REFERENCES data (id)
);
INSERT INTO "entry" VALUES(1,1,1,'','');
INSERT INTO "entry" VALUES(2,2,2,'','');
CREATE TABLE experiment (
	id INTEGER NOT NULL, 
	workspace VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	uuid VARCHAR NOT NULL, 
	document TEXT NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT uq_experiment_name UNIQUE (workspace, name)
);
INSERT INTO "experiment" VALUES(1,'lab','Ångström','a752af2d-f3c0-4ef4-b07d-25b828cd69a8','{"uuid":"a752af2d-f3c0-4ef4-b07d-25b828cd69a8","information":{"name":"\u00c5ngstr\u00f6m","author":"ada","date":"2024-02-29"},"raw_dataset":{"name":"","url":"","uuid":""},"processed_datasets":[],"keys":["Population","Dose"]}');
CREATE TABLE run (
	id INTEGER NOT NULL, 
	dataset_id INTEGER NOT NULL, 
	uuid VARCHAR NOT NULL, 
	document TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(dataset_id) REFERENCES dataset (id)
);
INSERT INTO "run" VALUES(1,2,'98f37295-2466-440a-b7b3-cf11511d8625','{"uuid":"98f37295-2466-440a-b7b3-cf11511d8625","process":{"name":"Threshold","url":""},"processed_dataset":{"uuid":"78a5206b-3a83-4cbc-b667-c682129ee2f6","url":"dataset/2"},"inputs":[],"parameters":[]}');
CREATE TABLE store (
	id VARCHAR(32) NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "store" VALUES('d3f8f9116cde');
CREATE TABLE term (
	id INTEGER NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	"key" VARCHAR NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT uq_term_key UNIQUE (experiment_id, "key"), 
	FOREIGN KEY(experiment_id) REFERENCES experiment (id)
);
INSERT INTO "term" VALUES(1,1,'Dose');
INSERT INTO "term" VALUES(2,1,'Population');
CREATE INDEX ix_data_content ON data (experiment_id, content);
CREATE INDEX ix_data_parent ON data (parent_id);
CREATE INDEX ix_data_source ON data (source_id);
CREATE INDEX ix_entry_dataset ON entry (dataset_id, data_id);
CREATE INDEX ix_entry_data ON entry (data_id);
CREATE INDEX ix_run_dataset ON run (dataset_id);
CREATE INDEX ix_annotation_data ON annotation (data_id, term_id);
CREATE INDEX ix_annotation_text ON annotation (term_id, text, data_id);
CREATE INDEX ix_annotation_number ON annotation (term_id, number, data_id);
COMMIT;
