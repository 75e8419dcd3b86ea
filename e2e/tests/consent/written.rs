//! Objects that people write in turn, and the list of them that the API server keeps, compared with
//! the same list as Comity's own code keeps it.

use comity::api::{
    name::{ANNOTATION_AUTHORED_BY, ANNOTATION_DECIDED_BY, ANNOTATION_REQUESTED_BY},
    stamp::{MOST_WRITERS, Writers},
};
use e2e::{
    Cluster, Error, Explain as _, Result,
    attempt::{Attempt, apply, create, patch, replace},
    comity::repository,
};
use serde_json::{Value, json};

use super::ground::Ground;

/// A kind whose writers are kept.
pub struct Kind {
    resource: &'static str,
    namespaced: bool,
    key: &'static str,
    /// Where the story has one.
    example: &'static str,
    /// A field, and what is written to it, with a number for `#`.
    field: [&'static str; 2],
}

/// All of them.
pub const KINDS: &[Kind] = &[
    Kind {
        resource: "partnergrants",
        namespaced: true,
        key: ANNOTATION_REQUESTED_BY,
        example: "06-grant.yaml",
        field: ["/spec/ticket", "RISK-#"],
    },
    Kind {
        resource: "sharingcontracts",
        namespaced: true,
        key: ANNOTATION_AUTHORED_BY,
        example: "05-contract.yaml",
        field: ["/spec/legal/disputes", "legal-#@retail.example"],
    },
    Kind {
        resource: "datasets",
        namespaced: true,
        key: ANNOTATION_AUTHORED_BY,
        example: "04-dataset.yaml",
        field: ["/spec/owner/contact", "risk-#@retail.example"],
    },
    Kind {
        resource: "partners",
        namespaced: false,
        key: ANNOTATION_AUTHORED_BY,
        example: "03-partner.yaml",
        field: ["/spec/contacts/security", "soc-#@northpay.example"],
    },
    Kind {
        resource: "sharingboundaries",
        namespaced: false,
        key: ANNOTATION_AUTHORED_BY,
        example: "02-boundary.yaml",
        field: ["/spec/ceilings/credentialTTL", "#m"],
    },
];

/// An object of such a kind, and who wrote it.
pub struct Kept {
    admin: Cluster,
    kind: &'static Kind,
    path: String,
    object: Value,
    writers: Writers,
    generation: i64,
}

/// The cluster as somebody sees it whom RBAC lets do everything.
fn person(admin: &Cluster, name: &str) -> Result<Cluster> {
    admin.as_user(name, &["system:masters"])
}

impl Kept {
    /// Made by ana, and her name is kept.
    pub async fn make(ground: &Ground, kind: &'static Kind) -> Result<Self> {
        let mut kept = Self::make_unstamped(ground, kind).await?;
        kept.generation = 1;
        kept.writers = Writers::default().with("ana", 1);
        kept.holds(&kept.read().await?, "create")?;
        Ok(kept)
    }

    /// Made by ana, whether anything stamps or not.
    pub async fn make_unstamped(ground: &Ground, kind: &'static Kind) -> Result<Self> {
        let file = repository().join("examples/fraud-scoring").join(kind.example);
        let text = std::fs::read_to_string(&file).explain(format!("read {}", file.display()))?;
        let mut object: Value = serde_saphyr::from_str(&text).explain("read YAML")?;
        let name = ground.admin.unique("kept");
        object["metadata"] = json!({"name": name});
        let all = if kind.namespaced {
            ground.path(kind.resource)
        } else {
            format!("/apis/comity.dev/v1alpha1/{}", kind.resource)
        };
        create(&all, object.clone()).do_as(&person(&ground.admin, "ana")?).await?;
        let (path, admin) = (format!("{all}/{name}"), ground.admin.clone());
        Ok(Self { admin, kind, path, object, writers: Writers::default(), generation: 1 })
    }

    /// Every way to write, by one person after the other.
    pub async fn through_every_way_to_write(mut self) -> Result<()> {
        let key = self.kind.key;
        let forged = json!({"metadata": {"annotations": {key: "1 nobody"}}});
        self.rewrites("ben", "a patch", patch(&self.path, self.field(1))).await?;
        self.leaves("cleo", "the same patch", patch(&self.path, self.field(1))).await?;
        self.rewrites("cleo", "apply", apply(&self.path, self.whole(2))).await?;
        self.leaves("dora", "the same apply", apply(&self.path, self.whole(2))).await?;
        self.rewrites("dora", "replace, without the list", replace(&self.path, self.live(3).await?)).await?;
        self.leaves(
            "eve",
            "replace with the same, without the list",
            replace(&self.path, self.live(3).await?),
        )
        .await?;
        for (what, change) in [
            ("take the annotations off", json!({"metadata": {"annotations": null}})),
            ("take the list off", json!({"metadata": {"annotations": {key: null}}})),
            ("empty the list", json!({"metadata": {"annotations": {key: ""}}})),
            ("forge the list", forged.clone()),
        ] {
            self.leaves("eve", what, patch(&self.path, change)).await?;
        }
        let mut both = self.field(4);
        both["metadata"] = forged["metadata"].clone();
        self.rewrites("fay", "a patch with a forged list", patch(&self.path, both)).await?;
        let mut both = self.whole(5);
        both["metadata"]["annotations"] = forged["metadata"]["annotations"].clone();
        self.rewrites("gus", "apply with a forged list", apply(&self.path, both)).await?;
        self.leaves("eve", "apply without what was forged", apply(&self.path, self.whole(5))).await?;
        self.rewrites("ana", "a patch by who is in the list", patch(&self.path, self.field(6))).await?;
        let bot = "system:serviceaccount:flux-system:bot";
        self.rewrites(bot, "a patch by automation", patch(&self.path, self.field(7))).await?;
        let label = json!({"metadata": {"labels": {"a": "b"}}});
        self.leaves("eve", "a label", patch(&self.path, label)).await
    }

    /// As many people as the list holds, and one more.
    pub async fn until_it_is_full(mut self) -> Result<()> {
        for number in 1..MOST_WRITERS {
            let change = patch(&self.path, self.field(number));
            self.rewrites(&format!("user-{number}"), "a patch", change).await?;
        }
        let eve = person(&self.admin, "eve")?;
        let change = patch(&self.path, self.field(MOST_WRITERS));
        change.refused(&eve, &["is full: one of its 64 people"]).await.map_err(Error::Failed)?;
        let mut forged = self.field(MOST_WRITERS);
        forged["metadata"] = json!({"annotations": {self.kind.key: "1 eve"}});
        let forged = patch(&self.path, forged);
        forged.refused(&eve, &["is full: one of its 64 people"]).await.map_err(Error::Failed)?;
        self.leaves("eve", "a label", patch(&self.path, json!({"metadata": {"labels": {"a": "b"}}}))).await?;
        self.rewrites("user-7", "a patch by one of them", change).await
    }

    /// It was made before there was a list: whoever changes it now, somebody unknown did before.
    pub async fn nobody_knows_who_wrote_it_before(mut self) -> Result<()> {
        self.leaves("ben", "a label", patch(&self.path, json!({"metadata": {"labels": {"a": "b"}}}))).await?;
        self.writers = self.writers.with("?", 1);
        self.rewrites("ben", "a patch", patch(&self.path, self.field(1))).await?;
        self.rewrites("cleo", "a patch", patch(&self.path, self.field(2))).await?;
        let stored = self.read().await?;
        let kept = stored["metadata"]["annotations"][self.kind.key].as_str().and_then(Writers::parse);
        assert!(kept.is_some_and(|kept| kept.may_have_written_after("zoe", 0)), "{stored}");
        Ok(())
    }

    async fn rewrites(&mut self, user: &str, what: &str, write: Attempt) -> Result<()> {
        self.generation += 1;
        self.writers = std::mem::take(&mut self.writers).with(user, self.generation);
        self.leaves(user, what, write).await
    }

    async fn leaves(&self, user: &str, what: &str, write: Attempt) -> Result<()> {
        let what = format!("{} of {} by {user}", what, self.kind.resource);
        let answer = write.do_as(&person(&self.admin, user)?).await.explain(&what)?;
        self.holds(&answer, &what)?;
        self.holds(&self.read().await?, &what)
    }

    /// Whether an object has the list and the generation that it should have.
    fn holds(&self, object: &Value, what: &str) -> Result<()> {
        let found = object["metadata"]["annotations"][self.kind.key].as_str().unwrap_or_default();
        let generation = &object["metadata"]["generation"];
        if found == self.writers.to_string() && *generation == self.generation {
            return Ok(());
        }
        let wanted = (self.writers.to_string(), self.generation);
        Err(Error::Failed(format!("{what}: {found:?} at {generation}, not {wanted:?}")))
    }

    async fn read(&self) -> Result<Value> {
        Attempt::reading(&self.path).do_as(&self.admin).await
    }

    /// A merge patch of the field.
    fn field(&self, number: usize) -> Value {
        let [pointer, value] = self.kind.field;
        let value = json!(value.replace('#', &number.to_string()));
        pointer.rsplit('/').filter(|part| !part.is_empty()).fold(value, |inner, part| json!({part: inner}))
    }

    /// The whole object as a file has it, with another value in the field.
    fn whole(&self, number: usize) -> Value {
        let mut object = self.object.clone();
        self.set(&mut object, number);
        object
    }

    /// The whole object as it is stored, with another value in the field and without annotations.
    async fn live(&self, number: usize) -> Result<Value> {
        let mut object = self.read().await?;
        self.set(&mut object, number);
        object["metadata"]["annotations"] = Value::Null;
        Ok(object)
    }

    fn set(&self, object: &mut Value, number: usize) {
        let [pointer, value] = self.kind.field;
        if let Some(field) = object.pointer_mut(pointer) {
            *field = json!(value.replace('#', &number.to_string()));
        }
    }
}

/// Where nothing stamps: without the stamps or with others it is refused, with them it is stored.
pub async fn the_client_fills(ground: &Ground) -> Result<()> {
    let (ana, ben) = (person(&ground.admin, "ana")?, person(&ground.admin, "ben")?);
    let grants = ground.path("partnergrants");
    let grant = |annotations: Value| {
        let spec = json!({"partnerRef": {"name": "northpay"}, "contractRef": {"name": "fraud-scoring"}, "stage": "Sandbox",
            "purpose": "fraud-detection", "operations": ["Infer"]});
        let metadata = json!({"name": "filled", "annotations": annotations});
        let kind = ("comity.dev/v1alpha1", "PartnerGrant");
        create(&grants, json!({"apiVersion": kind.0, "kind": kind.1, "metadata": metadata, "spec": spec}))
    };
    let refused = async |attempt: Attempt, user: &Cluster, says: &str| {
        attempt.refused(user, &[says]).await.map_err(Error::Failed)
    };
    refused(grant(json!({})), &ana, r#"requested-by has to be "1 ana""#).await?;
    refused(grant(json!({ANNOTATION_REQUESTED_BY: "1 ben"})), &ana, r#"has to be "1 ana""#).await?;
    let first = Writers::default().with("ana", 1);
    grant(json!({ANNOTATION_REQUESTED_BY: first.to_string()})).do_as(&ana).await?;

    let path = format!("{grants}/filled");
    let change = |list: Value| {
        let annotations = json!({ANNOTATION_REQUESTED_BY: list});
        patch(&path, json!({"metadata": {"annotations": annotations}, "spec": {"ticket": "RISK-1"}}))
    };
    let wanted = r#"has to be "1 ana\n2 ben""#;
    for list in [Value::Null, json!("1 ana"), json!("2 ben"), json!("1 ana\n3 ben"), json!("2 ben\n1 ana")] {
        refused(change(list), &ben, wanted).await?;
    }
    change(json!(first.with("ben", 2).to_string())).do_as(&ben).await?;
    let bare = patch(&path, json!({"metadata": {"annotations": null}}));
    refused(bare, &ben, wanted).await
}

/// Where nothing stamps: a decision says who made it, and nobody else.
pub async fn the_client_signs(ground: &Ground) -> Result<()> {
    let olga = ground.admin.as_user("olga", &["security"])?;
    let decision = |by: Value| {
        let mut decision = ground.decision("Approve");
        decision["metadata"]["annotations"] = json!({ANNOTATION_DECIDED_BY: by});
        create(&ground.decisions(), decision)
    };
    for by in [Value::Null, json!("rita"), json!("Olga")] {
        let own = ["has to be your own name: olga"];
        decision(by).refused(&olga, &own).await.map_err(Error::Failed)?;
    }
    decision(json!("olga")).do_as(&olga).await.map(drop)
}
