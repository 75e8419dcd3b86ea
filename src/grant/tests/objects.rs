//! Every object that a stage is made of, as it is sent: a change here is a change in what
//! partners get.

use super::world::World;
use crate::api::Stage;
use crate::grant::build::namespace::{Gate, namespace};
use crate::grant::build::{access, confinement, identity};
use crate::plan::compare::is_contained;
use crate::plan::objects::{Live, Wanted};

/// All objects of the grant's newest opening, in the order in which they are made.
fn objects(world: &World) -> Vec<Wanted> {
    let (scene, names) = (world.scene(), world.names());
    let journal = world.journal();
    let site = scene.site(journal.openings.last().expect("something was opened"), &names);
    let mut objects = vec![namespace(&site, Gate::Closed)];
    objects.extend(confinement(&site));
    objects.extend(identity::objects(&site));
    objects.push(namespace(&site, Gate::Open));
    objects.extend(access::role_bindings(&site));
    objects
}

fn told(objects: &[Wanted]) -> String {
    let documents: Vec<String> =
        objects.iter().map(|object| serde_saphyr::to_string(&object.body).expect("can be written")).collect();
    documents.join("---\n")
}

#[test]
fn a_sandbox_is_made_of_these_objects() {
    let mut world = World::new(Stage::Sandbox);
    world.settle();
    insta::assert_snapshot!(told(&objects(&world)));
}

#[test]
fn production_is_made_of_these_objects() {
    let mut world = World::new(Stage::Production);
    world.settle();
    world.forward(10);
    world.settle();
    insta::assert_snapshot!(told(&objects(&world)));
}

#[test]
fn what_is_wanted_is_contained_in_what_was_applied() {
    let mut world = World::new(Stage::Sandbox);
    world.settle();
    for object in objects(&world) {
        assert!(is_contained(&object, &Live::from_value(object.body.clone())), "{:?}", object.key);
    }
}
